-- Takes sessions off the list of a subject: KEYS it; ARGV now, ids.
for i = 2, #ARGV do redis.call('ZREM', KEYS[1], ARGV[i]) end
return 1
