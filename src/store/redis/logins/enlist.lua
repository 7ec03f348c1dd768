-- Lists a session: KEYS the list of its subject; ARGV now, longest, id, how many go, those, all that the list has. Answers 0 if
-- it has others.
local go = tonumber(ARGV[4])
local _, are_known = of_subject(5 + go)
if not are_known then return 0 end
for i = 1, go do redis.call('ZREM', KEYS[1], ARGV[4 + i]) end
-- Two may open within a microsecond, or the clock be set back: the later one is still the newer.
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('ZADD', KEYS[1], whole(math.max(now, (tonumber(last[2]) or 0) + 1)), ARGV[3])
local sweep = math.max(sweep_after(tonumber(ARGV[2])), redis.call('PTTL', KEYS[1]))
redis.call('PEXPIRE', KEYS[1], sweep)
return 1
