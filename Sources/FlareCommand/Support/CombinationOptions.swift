import Adapters
import ArgumentParser

/// Options of the commands that make several adapters one.
struct CombinationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Combine adapters that were trained beside each other, instead of stacking them in order: "
        + "linear, ties, dare-linear or dare-ties.", valueName: "method"))
  var combine: CombinationArgument?

  @Option(help: "The share of each delta's elements that ties and dare keep, over 0 and up to 1.")
  var density: Double = 0.5

  @Option(name: .customLong("combine-seed"), help: "The seed of what dare keeps.")
  var seed: UInt64 = 0

  func validate() throws {
    guard density > 0, density <= 1 else {
      throw ValidationError("'--density' is \(density), expected over 0 and up to 1")
    }
  }

  var method: CombinationMethod? {
    switch combine {
    case nil: nil
    case .linear: .linear
    case .ties: .ties(density: density)
    case .dareLinear: .dareLinear(density: density, seed: seed)
    case .dareTies: .dareTies(density: density, seed: seed)
    }
  }
}

enum CombinationArgument: String, ExpressibleByArgument, CaseIterable {
  case linear, ties
  case dareLinear = "dare-linear"
  case dareTies = "dare-ties"
}
