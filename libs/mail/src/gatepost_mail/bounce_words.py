"""Words by which machines say that a mail did not arrive, and whether it ever can."""

from __future__ import annotations

import re

FAILED = re.compile(
    r"(?i)could ?n[o']t be delivered|could not deliver|cannot be delivered|was not delivered|has not been delivered"
    r"|delivery (has )?failed|failed to deliver|undeliverable|undelivered mail|returned (to sender|mail)|delivery failure"
    r"|permanent (fatal )?error|unable to deliver|wasn't able to deliver|not able to deliver|mail delivery failed"
    r"|address (not found|rejected|couldn't be found)|message (was )?rejected|failure notice|delivery status notification ?\(failure\)"
    r"|unzustellbar|nicht zugestellt|konnte nicht zugestellt|zustellung fehlgeschlagen|non remis|n'a pas (pu être|été) (remis|distribué|délivré)"
    r"|échec de (la )?(remise|livraison)|no se (ha )?(pudo|podido) entregar|no entregado|error de entrega|non recapitabile|impossibile recapitare|mancato recapito"
    r"|não (foi|pôde ser) entregue|falha na entrega|onbestelbaar|kan niet worden bezorgd|niet (worden )?(af)?geleverd|kunde inte levereras|kunne ikke leveres"
    r"|nie (można|została) dostarcz|не (была )?доставлен|не удалось доставить|не может быть доставлено|teslim edilemedi|无法(投递|送达)|退信|無法傳遞|配信(できません|不能)|送信できません|배달 ?(실패|되지)"
)
LATER = re.compile(
    r"(?i)delivery (is )?delayed|warning: (could not send|message (still )?undelivered)|will (be retried|continue to try|keep trying)|still being retried"
    r"|delayed mail|\(delay\)|has been delayed|wurde verzögert|verzögerung|retardé|temporary (failure|problem|error)|not yet been delivered|noch nicht zugestellt"
)
HARD = re.compile(
    r"(?i)(user|recipient|mailbox|account|address|alias)( address)?( is| was)? ?(unknown|not found|invalid|does not exist|doesn't exist|disabled|inactive"
    r"|rejected|unavailable|not (valid|exist|active|available|known|hosted|recognized))|unknown (user|recipient|account|local part|address)"
    r"|no such (user|recipient|mailbox|account|address|person|domain)|not (our|a local) (user|customer)|invalid (recipient|mailbox|address|user)"
    r"|no mailbox (here )?by that name|does not like recipient|couldn't be found|is not a valid|no longer (valid|exists|available|with|employed|in use)|has been (disabled|deactivated|closed|deleted)"
    r"|domain (not found|does not exist|doesn't exist)|host (or domain )?(name )?not found|no mx|nxdomain|benutzer (unbekannt|existiert nicht)|empfänger (unbekannt|existiert nicht)"
    r"|adresse (inconnue|n'existe pas)|utilisateur inconnu|destinataire inconnu|usuario desconocido|no existe|dirección .{0,20}no (existe|encontrada)|utente sconosciuto|non esiste|usuário desconhecido|não existe"
    r"|onbekende (gebruiker|ontvanger)|bestaat niet|okänd (användare|mottagare)|nieznany (użytkownik|odbiorca)|nie istnieje|пользователь не найден|не существует|用户不存在|收件人不存在|宛先不明|존재하지 않"
)
SOFT = re.compile(
    r"(?i)(mailbox|quota|inbox).{0,30}(full|exceeded|over)|over ?quota|full mailbox|postfach.{0,20}voll|boîte.{0,20}pleine|buzón.{0,20}lleno|casella.{0,20}piena|mailbox is vol|greylist|try (again )?later|temporar"
    r"|rate limit|too many|throttl|deferred|blocked|blacklist|blocklist|spam|policy|reputation|message (too large|size)|size limit|virus|timed? ?out"
)
