-- Lifts what stands against a key and forgets its strikes: KEYS block, revocation, strikes; ARGV now.
local stood = blocked_until(KEYS[1]) or revoked_until(KEYS[2])
redis.call('DEL', unpack(KEYS))
if stood then return 1 end
return 0
