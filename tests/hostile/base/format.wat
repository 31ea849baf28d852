;; A chat format that behaves, as core functions in the contract's canonical ABI. A hostile file replaces
;; some of it: a part below is left out when the file defines a `$name` of its own.

;; part $session_new
(import "[export]lapidary:plugin/parser@0.1.0" "[resource-new]session"
  (func $session_new (param i32) (result i32)))

;; part $memory
(memory $memory (export "memory") 4)

;; part $realloc
(global $top (mut i32) (i32.const 4096))
(func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
  (global.set $top (i32.add (local.get $at) (local.get 3)))
  (local.get $at))

;; part $describe
(data (i32.const 8) "<end>")
(data (i32.const 16) "\08\00\00\00\05\00\00\00")                       ;; the string "<end>"
(data (i32.const 32) "\08\00\00\00\05\00\00\00"                        ;; name
                     "\10\00\00\00\01\00\00\00"                        ;; control tokens
                     "\10\00\00\00\01\00\00\00")                       ;; stop tokens
(func $describe (export "lapidary:plugin/format@0.1.0#describe") (result i32)
  (i32.const 32))

;; part $render
(data (i32.const 64) "\01\00\00\00\08\00\00\00\05\00\00\00")           ;; piece: data "<end>"
(data (i32.const 80) "\00\00\00\00\40\00\00\00\01\00\00\00\01\00\00\00") ;; ok: one piece, open turn at 1
(func $render (export "lapidary:plugin/template@0.1.0#render")
  (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
  (i32.const 80))

;; part $open
(func $open (export "lapidary:plugin/parser@0.1.0#[static]session.open")
  (param i32 i32 i32 i32) (result i32)
  (i32.store (i32.const 100) (call $session_new (i32.const 1)))        ;; ok: a new session
  (i32.const 96))

;; part $push
(func $push (export "lapidary:plugin/parser@0.1.0#[method]session.push")
  (param i32 i32 i32) (result i32)
  (i32.const 112))                                                     ;; ok: no events

;; part $finish
(func $finish (export "lapidary:plugin/parser@0.1.0#[method]session.finish")
  (param i32 i32) (result i32)
  (i32.const 112))
