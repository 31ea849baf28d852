;; 65536 tools whose names are all the same 64 KiB.
(memory $memory (export "memory") 64)
(func $definitions (export "lapidary:plugin/tools@0.1.0#definitions") (result i32)
  (local $at i32)
  (local.set $at (i32.const 0x20000))
  (loop $next
    (i32.store (local.get $at) (i32.const 0x10000))
    (i32.store offset=4 (local.get $at) (i32.const 0x10000))
    (local.set $at (i32.add (local.get $at) (i32.const 40)))
    (br_if $next (i32.lt_u (local.get $at) (i32.const 0x2a0000))))
  (i32.store (i32.const 80) (i32.const 0x20000))
  (i32.store (i32.const 84) (i32.const 0x10000))
  (i32.const 80))
