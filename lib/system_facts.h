// What the form System Information says of the installation: the dispatcher knows it, accounts shows it.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

namespace po::messages {

/// dispatcher > accounts, before Start. No answer. 64 KiB.
struct SystemFacts {
  static constexpr std::uint16_t kType = 16;
  static constexpr std::uint32_t kMax = 64 * 1024;
  std::string version, program_directory, spool_directory, mailbox_directory, log_directory;
  std::vector<std::string> ports;    ///< a line for each: "0.0.0.0:25 smtp: smtp, by smtpd"
  std::vector<std::string> modules;  ///< a line for each: "SMTP-Accept: smtpd, 2 processes"
  auto fields() {
    return std::tie(version, program_directory, spool_directory, mailbox_directory, log_directory, ports,
                    modules);
  }
};

}  // namespace po::messages
