CREATE TABLE one (id int PRIMARY KEY, label text CONSTRAINT one_label_key UNIQUE);
