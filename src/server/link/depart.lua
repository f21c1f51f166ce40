-- Gives all names of this server free: it stops.
return remove(me)
