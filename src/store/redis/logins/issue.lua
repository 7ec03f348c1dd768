-- Starts a challenge: ARGV also what is sealed, last.
local refused = enter(lane) or pause(lane) or place(lane) or room(lane)
if refused then return refused end
if find(challenge) then return dispatch(NOT_LIVE) end
local order, others = 0, {}
for _, one in ipairs(live) do
  order = math.max(order, one.order + 1)
  if one.ending > now and one.device ~= device then others[#others + 1] = one end
end
local one = {
  id = challenge, order = order, device = device, attempts = 0, number = 0,
  start = now, ending = now + rules.lifetime, code = code, sealed = argument(),
}
others[#others + 1] = one
live = others
return allow(lane, one)
