CREATE TABLE subjects (
    subject TEXT NOT NULL PRIMARY KEY,
    phone_tag BYTEA NOT NULL UNIQUE,
    phone BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE devices (
    binding BYTEA NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    device BYTEA NOT NULL,
    bound_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    joined BOOLEAN NOT NULL,
    UNIQUE (subject, device)
);

CREATE TABLE opt_outs (
    phone_tag BYTEA NOT NULL PRIMARY KEY,
    since BIGINT NOT NULL
);

CREATE TABLE secrets_mark (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    mark BYTEA NOT NULL
);
