-- Where a record stood in its stream: Redis' time in ms times a million, and its number within that ms. By this the
-- ledger can say what of it had been settled at a given instant of Redis. Null where that is not known: long ago.
alter table usage add column place bigint;
