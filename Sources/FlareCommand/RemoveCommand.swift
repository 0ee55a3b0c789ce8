import ArgumentParser
import Store

struct RemoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "Take names out of the store.",
    discussion: """
      Files that no other name needs stay until 'flare gc'.

      EXAMPLE:
        flare remove registry.example/team/maya:int4
        flare gc
      """)

  @Argument(help: "Names as 'flare list' shows them.")
  var names: [String]

  func run() throws {
    let store = try Store.standard()
    for name in try names.map({ try StoreName($0) }) {
      let freed = try store.remove(name)
      let rest = freed.map { $0 > 0 ? "; 'flare gc' frees \(byteText($0))" : "" } ?? ""
      standardOutput.write("removed \(name)\(rest)\n")
    }
  }
}
