// smtpd: SMTP, submission and local submission. Started by the dispatcher, or by inetd to hand over one
// client; man/smtpd.8.
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "lib/directory/reader.h"
#include "lib/dns.h"
#include "lib/inetd.h"
#include "lib/module.h"
#include "smtpd/server.h"

static std::string read_passwd() {
  std::ifstream in("/etc/passwd", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

int main(int argc, char** argv) {
  static constexpr std::string_view kNobody = "421 4.3.2 Service not available, try again later\r\n";
  if (auto handed = po::inetd::run_if_asked(argc, argv, kNobody)) return *handed;
  po::Module module = po::Module::start_or_die(po::messages::Role::kSmtpd);
  const auto& welcome = module.welcome();
  auto reader = module.before_confine_or_die(
      "directory", directory::Reader::open(welcome.directory_path, welcome.hostname));
  smtpd::Server::Files files{po::read_hosts_file(), read_passwd()};
  module.confine_or_die();
  smtpd::Server server(module, std::move(reader), std::move(files));
  return module.run(server);
}
