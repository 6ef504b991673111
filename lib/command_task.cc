#include "lib/command_task.h"

namespace po {

using messages::CommandOutput;

static constexpr std::size_t kPiece = messages::kMiB / 2;

void send_piece(Channel& channel, std::uint32_t serial, CommandOutput piece) {
  while (piece.out.size() > kPiece || piece.err.size() > kPiece) {
    CommandOutput part{piece.out.substr(0, kPiece), piece.err.substr(0, kPiece), false, 0};
    piece.out.erase(0, part.out.size());
    piece.err.erase(0, part.err.size());
    channel.send(serial, part);
  }
  channel.send(serial, piece);
}

}  // namespace po
