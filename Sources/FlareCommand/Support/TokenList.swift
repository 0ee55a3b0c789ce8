import ArgumentParser

/// Token ids on the command line: `1,2,3`.
struct TokenList: ExpressibleByArgument {
  let tokens: [Int]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    tokens = parts.compactMap { Int($0.filter { $0 != " " }) }
    guard tokens.count == parts.count else { return nil }
  }
}
