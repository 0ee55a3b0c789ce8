import ArgumentParser
import Conversion
import Files

@main
struct FlareCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "flare",
    abstract: "Merge, quantize, pack and run adapted language models on a CPU.",
    discussion: """
      MODEL is a Hugging Face directory, a .gguf file, a bundle directory or a .flare file; or a name \
      in the store ('flare list'), when there is no path that is spelled like it.

      EXAMPLE:
        flare convert base --adapter flare-id --quantize int4 -o model.flare
        flare run model.flare -p "Di mana Maya tinggal?" --source "Where is Maya?"
      """,
    version: flareVersion,
    subcommands: [
      InspectCommand.self, ConvertCommand.self, MergeCommand.self, PackCommand.self,
      UnpackCommand.self, VerifyCommand.self, SignCommand.self, KeygenCommand.self,
      ReproduceCommand.self, ExportCommand.self, ApplyCommand.self, RunCommand.self,
      ChatCommand.self,
      TemplateCommand.self, TokenizeCommand.self,
      LogitsCommand.self, EvalCommand.self, CombineCommand.self, CacheSourceCommand.self,
      BenchCommand.self, PushCommand.self, PullCommand.self, AddCommand.self, ListCommand.self,
      RemoveCommand.self, CollectCommand.self,
    ])

  /// Runs the command and turns its outcome into an exit code: 0 ok, 64 usage, 65 bad input, 69
  /// a server that is unavailable, 70 bug, 73 cannot write.
  ///
  /// It stays on the main thread, because a command that is not asynchronous may keep it for hours.
  @MainActor static func main() async {
    let handler = InterruptHandler()
    defer { withExtendedLifetime(handler) {} }
    do {
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch let error as any FlareError {
      end(with: error)
    } catch let error as ValidationError {
      // Of a command that runs already: parsing has errors of its own, with the usage beside them.
      standardError.write("flare: \(printable(error.message))\n")
      exit(withError: FailureKind.usage.exitCode)
    } catch {
      if let failure = StoreFailure.error { end(with: failure) }
      guard exitCode(for: error) == .failure, !(error is ExitCode) else { exit(withError: error) }
      standardError.write("flare: unexpected: \(error)\n")
      exit(withError: FailureKind.bug.exitCode)
    }
  }

  private static func end(with error: any FlareError) -> Never {
    standardError.write("flare: \(printable("\(error)"))\(storeHint(after: error))\n")
    exit(withError: error.kind.exitCode)
  }
}

extension FailureKind {
  fileprivate var exitCode: ExitCode {
    switch self {
    case .usage: ExitCode(64)
    case .badInput: ExitCode(65)
    case .unavailable: ExitCode(69)
    case .bug: ExitCode(70)
    case .cannotWrite: ExitCode(73)
    }
  }
}
