/// The version of Flare that files and `flare --version` name.
public let flareVersion = "0.1.0"
