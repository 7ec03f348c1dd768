-- Forgets an arrival: KEYS the window; ARGV now, the moment that was counted.
return redis.call('LREM', KEYS[1], -1, ARGV[2])
