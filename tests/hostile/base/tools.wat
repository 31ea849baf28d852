;; A tool provider that behaves, with one tool called `<end>`; see format.wat.

;; part $memory
(memory $memory (export "memory") 4)

;; part $realloc
(global $top (mut i32) (i32.const 4096))
(func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
  (global.set $top (i32.add (local.get $at) (local.get 3)))
  (local.get $at))

;; part $definitions
(data (i32.const 8) "<end>")
(data (i32.const 16) "{}")
(data (i32.const 32) "\08\00\00\00\05\00\00\00"                        ;; name
                     "\08\00\00\00\05\00\00\00"                        ;; description
                     "\10\00\00\00\02\00\00\00"                        ;; parameters: {}
                     "\00\00\00\00\00\00\00\00\00\00\00\00"            ;; no response
                     "\00\00\00\00")                                   ;; no traits
(data (i32.const 80) "\20\00\00\00\01\00\00\00")                       ;; one definition
(func $definitions (export "lapidary:plugin/tools@0.1.0#definitions") (result i32)
  (i32.const 80))

;; part $call
(data (i32.const 96) "\00\00\00\00"                                    ;; ok
                     "\00\00\00\00\08\00\00\00\05\00\00\00"            ;; text "<end>"
                     "\00\00\00\00")                                   ;; no error
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (i32.const 96))

;; part $tell
;; Answers with what an import left at 1024: a result of text or bytes, or an error, whose code is told.
(func $tell (result i32)
  (if (i32.load8_u (i32.const 1024))
    (then
      (i32.store (i32.const 104) (i32.load (i32.const 1032)))
      (i32.store (i32.const 108) (i32.load (i32.const 1036)))
      (i32.store8 (i32.const 112) (i32.const 1)))
    (else
      (i32.store (i32.const 104) (i32.load (i32.const 1028)))
      (i32.store (i32.const 108) (i32.load (i32.const 1032)))
      (i32.store8 (i32.const 112) (i32.const 0))))
  (i32.const 96))
