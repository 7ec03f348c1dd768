-- How countries stand: KEYS them. Five numbers for each: open and answered in the hour, in the day, and answered on the best day.
local told = {}
for _, key in ipairs(KEYS) do
  local book = open_ledger(key)
  for _, kind in ipairs({ 'f', 'h' }) do
    local open, answered = sum(book, kind)
    told[#told + 1] = open
    told[#told + 1] = answered
  end
  told[#told + 1] = best(book)
end
return told
