import TestSupport
import Testing

struct HelpTests {
  @Test(arguments: [
    "inspect", "convert", "merge", "pack", "unpack", "verify", "run", "tokenize", "logits", "eval",
    "combine", "cache-source", "bench", "chat", "template", "push", "pull",
    "add", "list", "remove", "gc",
  ])
  func `every subcommand explains itself with an example`(name: String) throws {
    let process = try FinishedProcess("flare", ["help", name])
    #expect(process.exitCode == 0)
    #expect(process.output.contains("EXAMPLE:"))
    #expect(process.output.contains("flare \(name) "))
  }
}
