import Adapters
import ArgumentParser

/// Options of the commands that make several adapters one.
struct CombinationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Combine adapters that were trained beside each other, instead of stacking them in order: "
        + "linear, ties, dare-linear or dare-ties.", valueName: "method"))
  var combine: CombinationArgument?

  @Option(
    help:
      "The share of each delta's elements that ties and dare keep, over 0 and up to 1 (default: 0.5)."
  )
  var density: Double?

  @Option(name: .customLong("combine-seed"), help: "The seed of what dare keeps (default: 0).")
  var seed: UInt64?

  func validate() throws {
    guard chosenDensity > 0, chosenDensity <= 1 else {
      throw ValidationError("'--density' is \(chosenDensity), expected over 0 and up to 1")
    }
    let prunes = combine != nil && combine != .linear
    guard density == nil || prunes else {
      throw ValidationError("'--density' is for '--combine' ties, dare-linear and dare-ties")
    }
    guard seed == nil || prunes && combine != .ties else {
      throw ValidationError("'--combine-seed' is for '--combine' dare-linear and dare-ties")
    }
  }

  var method: CombinationMethod? {
    switch combine {
    case nil: nil
    case .linear: .linear
    case .ties: .ties(density: chosenDensity)
    case .dareLinear: .dareLinear(density: chosenDensity, seed: seed ?? 0)
    case .dareTies: .dareTies(density: chosenDensity, seed: seed ?? 0)
    }
  }

  private var chosenDensity: Double { density ?? 0.5 }
}

enum CombinationArgument: String, ExpressibleByArgument, CaseIterable {
  case linear, ties
  case dareLinear = "dare-linear"
  case dareTies = "dare-ties"
}
