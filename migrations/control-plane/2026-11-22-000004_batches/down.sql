DROP TABLE batch_event;
DROP TABLE batch;
