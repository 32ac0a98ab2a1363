-- KEYS minute, month, holds, stream; ARGV id, tokens held, tokens used, money, record.
redis.call("ZREM", KEYS[3], ARGV[1])
redis.call("HINCRBY", KEYS[1], "tokens", ARGV[3] - ARGV[2])
redis.call("HINCRBY", KEYS[2], "requests", 1)
redis.call("HINCRBY", KEYS[2], "tokens", ARGV[3])
redis.call("HINCRBY", KEYS[2], "money", ARGV[4])
redis.call("XADD", KEYS[4], "MAXLEN", "~", 10000, "*", "record", ARGV[5])
return 1
