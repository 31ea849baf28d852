;; Never gets instantiated.
(func $spin (loop $forever (br $forever)))
(start $spin)
