-- How much longer a block stands: KEYS it; ARGV now. Answers -1 if until it is lifted, -2 if it does not stand.
local moment = blocked_until(KEYS[1])
if moment == math.huge then return -1 end
return moment and moment - now or -2
