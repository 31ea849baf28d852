;; A format of a contract that this host does not speak.
(component
  (instance $nothing)
  (export "lapidary:plugin/format@0.2.0" (instance $nothing))
  (export "lapidary:plugin/template@0.2.0" (instance $nothing))
  (export "lapidary:plugin/parser@0.2.0" (instance $nothing)))
