-- Whether the phone is blocked for this device: ARGV as in `issue`. Answers whether, and how much longer.
local index, remaining = blocked(lane_of(device), false)
return { index and 1 or 0, remaining or 0 }
