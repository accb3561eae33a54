//! `mintmark`: starts the platform on one machine, shows what it does, and helps its operator.
#![doc = include_str!("../README.md")]

mod api;
mod audit;
mod batch;
mod brand;
mod cli;
mod client;
mod code;
mod completion;
mod context;
mod contract;
mod demo;
mod desk;
mod dispatch;
mod dispute;
mod evidence;
mod exit;
mod export;
mod failure;
mod home;
mod job;
mod key;
mod login;
mod preflight;
mod product;
mod reach;
mod scan;
mod screen;
mod service;
mod show;
mod tenant;
mod token;
mod transfer;
mod trust;
mod up;
mod user;
mod wait;

pub use dispatch::run_command_line;
