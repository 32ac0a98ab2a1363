-- The ledger: who pays (organization), who calls (project, member, api_key), what they may (plan, subscription),
-- what it costs (model_price) and what was used (usage).

create table organization (
    id          text primary key,
    no          bigint generated always as identity unique,
    name        text not null check (length(name) between 1 and 200),
    siret       text,
    email       text,
    time_zone   text not null default 'UTC',
    active      boolean not null default true,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now()
);

create table project (
    id               text primary key,
    organization_id  text not null references organization,
    name             text not null check (length(name) between 1 and 200),
    limits           jsonb not null default '{}',
    active           boolean not null default true,
    created_at       timestamptz not null default now(),
    unique (organization_id, name),
    unique (organization_id, id)
);

create table member (
    id                text primary key,
    organization_id   text not null references organization,
    issuer            text not null default '',
    keycloak_user_id  text not null,
    email             text,
    role              text not null default 'member' check (role in ('owner', 'admin', 'billing', 'member')),
    active            boolean not null default true,
    joined_at         timestamptz not null default now(),
    unique (issuer, keycloak_user_id, organization_id),
    unique (organization_id, id)
);

-- A key is kept as HMAC-SHA256 under a secret that is not in the database; prefix is what people see of it.
create table api_key (
    id               text primary key,
    organization_id  text not null references organization,
    project_id       text,
    member_id        text,
    name             text not null check (length(name) between 1 and 200),
    prefix           text not null,
    digest           bytea not null unique check (length(digest) = 32),
    limits           jsonb not null default '{}',
    created_at       timestamptz not null default now(),
    expires_at       timestamptz,
    revoked_at       timestamptz,
    foreign key (organization_id, project_id) references project (organization_id, id),
    foreign key (organization_id, member_id) references member (organization_id, id)
);
create index on api_key (organization_id, created_at);

create table plan (
    id                 text primary key,
    name               text not null unique check (length(name) between 1 and 200),
    currency           text not null check (currency in ('EUR', 'USD')),
    monthly_price      numeric(18, 6) not null default 0 check (monthly_price >= 0),
    yearly_price       numeric(18, 6) not null default 0 check (yearly_price >= 0),
    monthly_quota      bigint not null default -1 check (monthly_quota >= -1),
    price_per_request  numeric(18, 9) not null default 0 check (price_per_request >= 0),
    price_rules        jsonb not null default '[]',
    overage            text not null default 'refuse' check (overage in ('refuse', 'bill')),
    limits             jsonb not null default '{}',
    models             text[],
    endpoints          text[],
    on_redis_loss      text not null default 'refuse' check (on_redis_loss in ('refuse', 'bounded')),
    unpriced_models    text not null default 'refuse' check (unpriced_models in ('refuse', 'allow')),
    active             boolean not null default true,
    created_at         timestamptz not null default now(),
    updated_at         timestamptz not null default now()
);

-- One subscription at a time. The organization's number as a range needs no extension for the constraint.
create table subscription (
    id               text primary key,
    organization_id  text not null references organization,
    organization_no  bigint not null references organization (no),
    plan_id          text not null references plan,
    starts_at        timestamptz not null,
    ends_at          timestamptz check (ends_at is null or ends_at > starts_at),
    created_at       timestamptz not null default now(),
    exclude using gist (int8range(organization_no, organization_no, '[]') with &&,
                        tstzrange(starts_at, ends_at) with &&)
);

-- rates: kind -> US dollars per million tokens (or per piece) as a decimal string.
create table model_price (
    id           bigint generated always as identity primary key,
    provider     text not null,
    model        text not null,
    valid_from   timestamptz not null,
    valid_until  timestamptz check (valid_until is null or valid_until > valid_from),
    rates        jsonb not null,
    source       text not null,
    source_date  date not null,
    unique (provider, model, valid_from)
);

-- US dollars per euro of a day, as its source published it.
create table exchange_rate (
    day           date not null,
    currency      text not null check (currency ~ '^[A-Z]{3}$'),
    per_euro      numeric(18, 6) not null check (per_euro > 0),
    source        text not null,
    primary key (currency, day)
);

-- occurred_at is the admission by Redis time: the hold carries it, so a settlement, a sweep and a redelivery of one
-- request agree on it, and (request_id, occurred_at) is unique for the request alone.
create table usage (
    request_id           text not null,
    occurred_at          timestamptz not null,
    organization_id      text not null,
    project_id           text,
    key_id               text,
    member_id            text,
    endpoint             text not null,
    model                text not null,
    upstream             text not null,
    stream               boolean not null,
    status               smallint not null,
    outcome              text not null,
    input_tokens         bigint not null check (input_tokens >= 0),
    cached_input_tokens  bigint not null check (cached_input_tokens >= 0),
    cache_write_tokens   bigint not null check (cache_write_tokens >= 0),
    output_tokens        bigint not null check (output_tokens >= 0),
    reasoning_tokens     bigint not null check (reasoning_tokens >= 0),
    audio_input_tokens   bigint not null check (audio_input_tokens >= 0),
    audio_output_tokens  bigint not null check (audio_output_tokens >= 0),
    image_input_tokens   bigint not null default 0 check (image_input_tokens >= 0),
    image_output_tokens  bigint not null default 0 check (image_output_tokens >= 0),
    quantities           jsonb not null default '{}',
    cost_nano_usd        bigint not null,
    cost_nano_eur        bigint not null,
    price_nano           bigint not null,
    price_nano_eur       bigint not null,
    currency             text not null,
    usd_per_eur          numeric(18, 6) not null,
    price_ref            text,
    usage_source         text not null check (usage_source in ('provider', 'tokenizer', 'hold', 'unknown')),
    request_bytes        bigint not null,
    response_bytes       bigint not null,
    first_byte_ms        integer,
    duration_ms          integer not null,
    search_term          text,
    recorded_at          timestamptz not null default now(),
    primary key (request_id, occurred_at)
) partition by range (occurred_at);
create index on usage (organization_id, occurred_at);
create index on usage (organization_id, member_id, occurred_at) where member_id is not null;

-- A record that cannot be stored is kept with the reason, never dropped.
create table dead_letter (
    id          bigint generated always as identity primary key,
    stream      text not null,
    entry_id    text not null,
    payload     bytea not null,
    reason      text not null,
    kept_at     timestamptz not null default now(),
    unique (stream, entry_id)
);

create table audit (
    id       bigint generated always as identity primary key,
    at       timestamptz not null default now(),
    actor    text not null,
    action   text not null,
    object   text not null,
    detail   jsonb not null default '{}'
);
create index on audit (object, at);
