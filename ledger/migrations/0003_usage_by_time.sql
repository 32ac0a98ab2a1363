-- Usage over all organizations is read newest first, piece by piece: without this each piece would sort every row.
create index on usage (occurred_at, request_id);
