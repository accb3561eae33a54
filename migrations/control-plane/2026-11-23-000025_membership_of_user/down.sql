DROP INDEX membership_of_user;
