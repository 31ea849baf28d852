;; Traps while it is instantiated.
(func $fall (unreachable))
(start $fall)
