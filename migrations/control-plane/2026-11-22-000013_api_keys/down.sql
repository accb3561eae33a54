DROP TABLE api_key;
DROP FUNCTION api_key_stays_revoked();
