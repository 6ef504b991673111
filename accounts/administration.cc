#include "accounts/administration.h"

#include "lib/text.h"

namespace accounts {

po::Result<std::unique_ptr<Administration>> Administration::open(const Options& options) {
  std::unique_ptr<Administration> admin(new Administration);
  admin->hostname_ = po::ascii_lower(options.hostname);
  auto directory = directory::Writer::open(
      {.path = options.directory_path, .hostname = admin->hostname_, .settle = options.settle});
  if (!directory) return tl::make_unexpected(directory.error());
  admin->directory_ = std::move(*directory);
  admin->list_ = std::make_unique<AccountList>(*admin->directory_);
  admin->set_facts(options.facts);
  auto secrets = Secrets::open(options.secrets_path);
  if (!secrets) return tl::make_unexpected(secrets.error());
  admin->secrets_ = std::move(*secrets);
  return admin;
}

std::string Administration::completion_domain() const {
  auto settings = directory_->settings();
  return settings ? completion_domain(**settings) : hostname_;
}

}  // namespace accounts
