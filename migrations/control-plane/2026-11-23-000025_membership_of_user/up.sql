-- Who calls is asked at every request, and both indexes of roles are partial: without this one, everybody's roles are read.
CREATE INDEX membership_of_user ON membership (tenant_id, user_id);
