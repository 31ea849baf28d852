;; Exports the right names with nothing behind them.
(component
  (instance $nothing)
  (export "lapidary:plugin/format@0.1.0" (instance $nothing))
  (export "lapidary:plugin/template@0.1.0" (instance $nothing))
  (export "lapidary:plugin/parser@0.1.0" (instance $nothing)))
