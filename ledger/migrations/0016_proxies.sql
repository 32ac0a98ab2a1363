-- The proxy processes that may have calls under way: who rebuilds what Redis has lost waits for what they hold.
create table proxy_process (
    name     text primary key,
    seen_at  timestamptz not null default now()
);
