public import Adapters
public import ArgumentParser
import Conversion

/// Options of the commands that merge adapters into a model.
struct MergingOptions: ParsableArguments {
  @Flag(
    help: ArgumentHelp(
      "Merge FLARE's q and v as plain LoRA, for use without a source text.",
      discussion: "The result cannot read a source any more."))
  var noSource = false

  @Option(
    help: ArgumentHelp(
      "How what stays a FLARE adapter pairs source and target: right or last (default: what the "
        + "adapter says).", valueName: "alignment"))
  var sourceAlignment: SourceAlignment?

  @Option(
    help: "Round a merged weight once (as PEFT does), or twice (as its safe merge does).")
  var rounding: MergeRounding = .once

  @Flag(help: "Let a module pass whose delta is zero.")
  var allowZero = false
}

extension MergingOptions {
  /// How adapters are merged.
  var options: MergeOptions {
    var options = MergeOptions()
    options.rounding = rounding
    options.allowsZero = allowZero
    options.sourceAlignment = sourceAlignment
    return options
  }
}

extension MergeRounding: ExpressibleByArgument {}
