-- done: usage records that are in Postgres leave the stream; acknowledged alone, nobody would ever remove them.
--
-- KEYS  1 a partition's usage stream
-- ARGV  1 the consumer group   then ids of entries
--
-- reply how many were removed

redis.call('XACK', KEYS[1], unpack(ARGV))
return redis.call('XDEL', KEYS[1], unpack(ARGV, 2))
