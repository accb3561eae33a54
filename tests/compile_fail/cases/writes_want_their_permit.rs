//! A store function that changes something takes the permit for just that.
use diesel_async::AsyncPgConnection;
use mintmark_auth::action::{UpdateProduct, ViewBrand};
use mintmark_auth::Permit;
use mintmark_control_plane::store::{brands, operations, presentation};
use mintmark_ids::{BatchId, UserId};

async fn without_one(conn: &mut AsyncPgConnection, owner: UserId) {
    let _ = brands::insert(conn, owner, "A brand").await;
}

async fn with_leave_to_look(conn: &mut AsyncPgConnection, permit: &Permit<ViewBrand>) {
    let _ = presentation::set_colour(conn, permit, None).await;
}

async fn with_leave_for_another_thing(conn: &mut AsyncPgConnection, permit: &Permit<UpdateProduct>, id: BatchId) {
    let _ = operations::announce_revocation(conn, permit, id, None).await;
}

fn main() {}
