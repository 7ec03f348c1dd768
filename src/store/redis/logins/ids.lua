-- The ids on the list of a subject, the oldest first: KEYS it; ARGV now.
return { {}, redis.call('ZRANGE', KEYS[1], 0, -1) }
