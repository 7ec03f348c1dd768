-- The note of a key: KEYS it.
return redis.call('GET', KEYS[1])
