-- Forgets that a device has logged in: KEYS the devices of a phone; ARGV now, the device, or nothing for all.
local left = redis.call('PTTL', KEYS[1])
local rest, found = {}, false
for known in string.gmatch(redis.call('GET', KEYS[1]) or '', '[^,]+') do
  if ARGV[2] == '' or string.match(known, '^(%S+) ') == ARGV[2] then
    found = true
  else
    rest[#rest + 1] = known
  end
end
if not found then return 0 end
if #rest > 0 and left > 0 then
  redis.call('SET', KEYS[1], table.concat(rest, ','), 'PX', left)
else
  redis.call('DEL', KEYS[1])
end
return 1
