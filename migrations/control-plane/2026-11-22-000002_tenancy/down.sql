DROP TABLE membership;
DROP TABLE brand;
DROP TABLE app_user;
DROP TABLE tenant;
