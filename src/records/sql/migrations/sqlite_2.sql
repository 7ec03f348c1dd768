ALTER TABLE subjects ADD COLUMN changed_at BIGINT;
