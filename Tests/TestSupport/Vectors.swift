public import SystemPackage

/// The files under `Tests/Vectors`, which other programs wrote.
public enum Vectors {
  /// The path of `name`, such as `safetensors/types.safetensors`.
  public static func path(_ name: String) -> FilePath {
    repository.appending("Tests").appending("Vectors").pushing(FilePath(name))
  }

  /// The root of the package.
  public static var repository: FilePath {
    FilePath(#filePath)
      .removingLastComponent().removingLastComponent().removingLastComponent()
  }
}
