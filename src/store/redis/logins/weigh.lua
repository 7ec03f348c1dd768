-- Decides about a message, and counts it if it leaves: KEYS country, prefix, client, what was spent; ARGV now, the name of the country, the tag of the prefix,
-- last digits, price, whether that is paid, whether it may leave, the limits. Answers the findings as bits, how the budget
-- stands (0 within, 1 warned, 2 over, 3 over for the first time), whether it was counted, and the day.
local at = 1
local function argument()
  at = at + 1
  return ARGV[at]
end
local function number() return tonumber(argument()) end
local function conversion() return { day = number(), hour = number(), of_day = number(), of_hour = number() } end

local land, stem, suffix, price = argument(), argument(), number(), number()
local is_paid, may_leave = number() == 1, number() == 1
local rules = { conversion(), conversion(), conversion() }
local most, within, reach, all, own = number(), number(), number(), number(), number()
local stops, warn_at, cap = number(), number(), number()
local books = { open_ledger(KEYS[1]), open_ledger(KEYS[2]), open_ledger(KEYS[3]) }
local prefix, client = books[2], books[3]
local today = cap > 0 and spent_today(KEYS[4])
local is_over = today and today.spent + price > cap

local found, stopped = 0, false
local function find(bit, is_found)
  if not is_found then return end
  found = found + bit
  if math.floor(stops / bit) % 2 == 1 then stopped = true end
end
for i, rule in ipairs(rules) do
  local in_hour, answered_in_hour = sum(books[i], 'f')
  local in_day, answered_in_day = sum(books[i], 'h')
  local top = best(books[i])
  local daily = math.max(rule.day * 100, top * rule.of_day, answered_in_day * rule.of_day)
  -- In six hundredths, as the best day counts by its sixth.
  local hourly = math.max(rule.hour * 600, top * rule.of_hour, answered_in_hour * rule.of_hour * 6)
  find(2 ^ (i - 1), (in_day + 1) * 100 > daily or (in_hour + 1) * 600 > hourly)
end
local others = 0
for known in pairs(client.countries) do
  if known ~= land then others = others + 1 end
end
find(8, others >= most)
local function near(book)
  local count = 0
  for of, other in pairs(book.near) do
    local whose, digits = string.match(of, '^(%x+):(%d+)$')
    if not whose then foreign() end
    local apart = math.abs(tonumber(digits) - suffix)
    if whose == stem and apart > 0 and apart <= reach and other.at + within > now then count = count + 1 end
  end
  return count
end
find(16, near(prefix) >= all or near(client) >= own)

if may_leave then
  local name = stem .. ':' .. whole(suffix)
  for _, book in ipairs({ prefix, client }) do
    book.near[name] = nil
    local oldest, newest, count = nil, 0, 0
    for of, other in pairs(book.near) do
      count, newest = count + 1, math.max(newest, other.order)
      if not oldest or other.order < book.near[oldest].order then oldest = of end
    end
    if count >= NEAR then book.near[oldest] = nil end
    book.near[name] = { at = now, ending = now + within, order = newest + 1 }
  end
end
local counted = may_leave and not is_over and not stopped
local stands = 0
if is_over then
  stands = today.refused == '1' and 2 or 3
  if stands == 3 then
    today.refused = '1'
    write_spent(KEYS[4], today)
  end
elseif counted and is_paid and today then
  today.spent = today.spent + price
  if today.spent >= warn_at and today.warned ~= '1' then
    today.warned, stands = '1', 1
  end
  write_spent(KEYS[4], today)
end
if counted then
  for i, book in ipairs(books) do count(book, 1, 0, i < 3) end
  client.countries[land] = SCALES.h.bucket
  save(books[1])
end
if may_leave then
  save(prefix)
  save(client)
end
return { found, stands, counted and 1 or 0, SCALES.d.bucket }
