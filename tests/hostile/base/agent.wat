;; An agent that behaves: it answers `<end>`; see format.wat.

;; part $memory
(memory $memory (export "memory") 4)

;; part $realloc
(global $top (mut i32) (i32.const 4096))
(func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
  (global.set $top (i32.add (local.get $at) (local.get 3)))
  (local.get $at))

;; part $run
(data (i32.const 8) "<end>")
(data (i32.const 96) "\00\00\00\00"                                    ;; ok
                     "\00\00\00\00\08\00\00\00\05\00\00\00")           ;; text "<end>"
(func $run (export "lapidary:plugin/pipeline@0.1.0#run") (param i32 i32) (result i32)
  (i32.const 96))
