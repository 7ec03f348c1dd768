-- Starts a challenge: ARGV also what is sealed, last.
local refused = enter(lane) or pause(lane) or room(lane)
if refused then return refused end
if find(challenge) then return dispatch(NOT_LIVE) end
local order, others = 0, {}
for _, one in ipairs(live) do
  order = math.max(order, one.order + 1)
  if one.ending > now and one.device ~= device then others[#others + 1] = one end
end
while #others >= math.max(rules.live, 1) do
  local goes = nil
  for i, other in ipairs(others) do
    if not goes and lane_of(other.device) == STRANGERS then goes = i end
  end
  if not goes then
    -- No stranger puts out the owner's code, nor is kept out by it.
    if lane == STRANGERS then break end
    goes = 1
  end
  table.remove(others, goes)
end
local one = {
  id = challenge, order = order, device = device, attempts = 0, number = 0,
  start = now, ending = now + rules.lifetime, code = code, sealed = argument(),
}
others[#others + 1] = one
live = others
return allow(lane, one)
