"""Every sentence that operators read, in French, by its English words; `tests/test_language.py` holds that none is missing.

Before ; : ! ? % and inside « » stands a narrow no-break space (U+202F), as French typography asks.
"""

FRENCH: dict[str, str] = {
    # run, ledger, options, and what is said around them
    "The state folder {path} cannot be used ({reason}): check --state-dir.": (
        "Le dossier d'état {path} est inutilisable ({reason}) : vérifiez --state-dir."
    ),
    "unknown": ("inconnu"),
    "{name}: an empty cell may be a formula that was never calculated, so --blank clear would not be "
    "safe: open the file in Excel and save it as .xlsx.": (
        "{name} : une cellule vide peut être une formule jamais calculée, --blank clear ne serait donc pas "
        "sûr : ouvrez le fichier dans Excel et enregistrez-le en .xlsx."
    ),
    "{path} has no data row: check the export, or allow it with --allow-empty.": (
        "{path} n'a aucune ligne de données : vérifiez l'export, ou autorisez-le avec --allow-empty."
    ),
    "{count} cell(s) of {field}: {what}.": ("{field}, {count} cellule(s) : {what}."),
    "A bug in contact-sync ended the sending ({bug}): run it with -v and report it.": (
        "Une anomalie de contact-sync a interrompu l'envoi ({bug}) : relancez avec -v et signalez-la."
    ),
    "A bug in contact-sync lost count: {rows} rows were read, {lines} reported and {accounted} accounted for.": (
        "Une anomalie de contact-sync a faussé le compte : lignes lues {rows}, dans le rapport {lines}, "
        "comptabilisées {accounted}."
    ),
    "The ledger {path} cannot be opened ({reason}): check the state folder.": (
        "Le registre {path} ne peut pas être ouvert ({reason}) : vérifiez le dossier d'état."
    ),
    "The ledger {path} cannot be used ({reason}): check the disk, and if the file is damaged move it "
    "away (every row is then sent once more).": (
        "Le registre {path} est inutilisable ({reason}) : vérifiez le disque, et si le fichier est "
        "endommagé, déplacez-le (toutes les lignes seront alors renvoyées une fois)."
    ),
    "The ledger {path} was written by a newer contact-sync: install that version.": (
        "Le registre {path} a été écrit par une version plus récente de contact-sync : installez cette version."
    ),
    "The ledger {path} belongs to another account: move it out of the state folder.": (
        "Le registre {path} appartient à un autre compte : sortez-le du dossier d'état."
    ),
    "The ledger {path} is out of reach ({reason}): check the state folder.": (
        "Le registre {path} est hors d'atteinte ({reason}) : vérifiez le dossier d'état."
    ),
    "the temporary ledger": ("temporaire"),
    "The disk of the ledger {path} has no room for the results: free some.": (
        "Le disque du registre {path} n'a pas de place pour les résultats : libérez-en."
    ),
    "The report would take the place of the source {path}: correct --report.": (
        "Le rapport prendrait la place du fichier source {path} : corrigez --report."
    ),
    "The base URL is not an address such as https://api.smspartner.fr/v1: correct --base-url.": (
        "L'URL de base n'est pas une adresse comme https://api.smspartner.fr/v1 : corrigez --base-url."
    ),
    "The base URL must begin with https://, for the API key would travel in clear to {host}: correct --base-url.": (
        "L'URL de base doit commencer par https://, sinon la clé API circulerait en clair vers {host} : corrigez --base-url."
    ),
    "{where} holds no API key: it must be one word of at least {least} plain characters.": (
        "{where} ne contient pas de clé API : ce doit être un seul mot d'au moins {least} caractères simples."
    ),
    "Others may read the API key in {path}: run chmod 600 on it.": (
        "D'autres utilisateurs peuvent lire la clé API dans {path} : exécutez chmod 600 sur ce fichier."
    ),
    "The API key file {path} cannot be read ({reason}): check --api-key-file.": (
        "Le fichier de clé API {path} ne peut pas être lu ({reason}) : vérifiez --api-key-file."
    ),
    "{source}: {rows} rows.": ("{source} : {rows} ligne(s)."),
    "Stopped: {reason}": ("Arrêt : {reason}"),
    "{requests} requests, {retries} of them retries, in {seconds} seconds.": (
        "Requêtes : {requests} (dont répétées : {retries}), en {seconds} secondes."
    ),
    "Report: {path}": ("Rapport : {path}"),
    "(exit code {code})": ("(code de retour {code})"),
    "Warning: {warning}": ("Attention : {warning}"),
    "The config file {path} cannot be read ({reason}): check --config.": (
        "Le fichier de configuration {path} ne peut pas être lu ({reason}) : vérifiez --config."
    ),
    "The config file {path} is not valid TOML: {reason}.": (
        "Le fichier de configuration {path} n'est pas du TOML valide : {reason}."
    ),
    "The config file {path} has no option for “{name}”: write the names of the options, without --.": (
        "Le fichier de configuration {path} contient « {name} », qui n'est pas une option : saisissez les "
        "noms des options, sans --."
    ),
    "The config file {path} has several values for “{name}”: write one.": (
        "Le fichier de configuration {path} a plusieurs valeurs pour « {name} » : n'en saisissez qu'une."
    ),
    "There is no API key: name a file that holds it with --api-key-file, or set CONTACT_SYNC_API_KEY.": (
        "Il n'y a pas de clé API : indiquez un fichier qui la contient avec --api-key-file, ou définissez CONTACT_SYNC_API_KEY."
    ),
    "The output cannot be written ({reason}).": ("La sortie ne peut pas être écrite ({reason})."),
    "A bug in contact-sync: {bug}. Run it again with -v, and report what it prints.": (
        "Une anomalie de contact-sync : {bug}. Relancez avec -v, et signalez ce qui s'affiche."
    ),
    "--at {time} is no time of day: write it as 01:30.": ("--at {time} n'est pas une heure : écrivez-la comme 01:30."),
    "{path} is a folder, so each file has its own reports: leave out --report, --workbook and --page.": (
        "{path} est un dossier, chaque fichier a donc ses propres rapports : retirez --report, --workbook et --page."
    ),
    "Another run for this account is under way (process {holder}): wait for it to end.": (
        "Une autre exécution est en cours pour ce compte (processus {holder}) : attendez qu'elle se termine."
    ),
    "Between 02:00 and 03:00 a night may have no such time, or have it twice: choose another.": (
        "Entre 02:00 et 03:00, une nuit peut ne pas avoir cette heure, ou l'avoir deux fois : choisissez-en une autre."
    ),
    "Credit: {credit} SMS.": ("Crédit : {credit} SMS."),
    "Forgotten, in {count} places. Reports that stand elsewhere are yours to delete.": (
        "Oublié, à {count} endroit(s). Supprimez vous-même les rapports qui se trouvent ailleurs."
    ),
    "Next: {command}": ("Ensuite : {command}"),
    "No file has arrived in {path} today, expected by {time}: check the export.": (
        "Aucun fichier n'est arrivé aujourd'hui dans {path}, attendu avant {time} : vérifiez l'export."
    ),
    "No file has arrived in {path}.": "Aucun nouveau fichier dans {path}.",
    "Two files would have the place {path}: correct --report, --workbook or --page.": (
        "Deux fichiers auraient la même place {path} : corrigez --report, --workbook ou --page."
    ),
    "The API asked for fewer requests, so the pace was halved {times} time(s).": (
        "L'API a demandé moins de requêtes : le rythme a été réduit de moitié {times} fois."
    ),
    "A run is under way.": "Une exécution est en cours.",
    "A bug in contact-sync spoilt the workbook or the page ({bug}): report it.": (
        "Une anomalie de contact-sync a gâché le classeur ou la page ({bug}) : signalez-la."
    ),
    "No ledger in {path} is of this key, --account and --base-url: the next run will send every row, "
    "unless it is given the --account that earlier runs had.": (
        "Aucun registre de {path} n'est celui de cette clé, de --account et de --base-url : la prochaine exécution enverra "
        "toutes les lignes, à moins de lui donner le --account des exécutions précédentes."
    ),
    "No run has succeeded yet.": ("Aucune exécution n'a encore réussi."),
    "There is no contactId: name the contact that is to be forgotten.": "Le contactId manque : indiquez le contact à oublier.",
    "Nothing is kept of this contact.": ("Rien n'est conservé de ce contact."),
    "Only the rows of the last run, {run}, are still kept.": (
        "Seules les lignes de la dernière exécution, {run}, sont encore conservées."
    ),
    "Others can look into the state folder {path}: run chmod 700 on it.": (
        "D'autres peuvent lire le dossier d'état {path} : lancez chmod 700 dessus."
    ),
    "TO DO": ("À FAIRE"),
    "The API answered HTTP {status}, but not in its own words: check the base URL.": (
        "L'API a répondu HTTP {status}, mais pas dans ses propres termes : vérifiez l'URL de base."
    ),
    "The API at {url} is reached, and the key is valid.": ("L'API est joignable à l'adresse {url}, et la clé est valide."),
    "The API refused the key (code {code}: {text}).": ("L'API a refusé la clé (code {code} : {text})."),
    "The clock differs from the API's by {seconds} seconds: set it (NTP).": (
        "L'horloge diffère de celle de l'API de {seconds} secondes : réglez-la (NTP)."
    ),
    "The clock is right.": ("L'horloge est juste."),
    "The disk of {path} has {free} MB left: free some.": ("Il reste {free} Mo sur le disque de {path} : libérez de la place."),
    "The last run ({started}) ended with exit code {code}: see its report.": (
        "La dernière exécution ({started}) s'est terminée avec le code de retour {code} : voyez son rapport."
    ),
    "The last run ({started}) was cut short: the next one goes on where it ended.": (
        "La dernière exécution ({started}) a été interrompue : la prochaine reprendra où elle s'est arrêtée."
    ),
    "The last run ended before anything was sent: run the file again.": (
        "La dernière exécution s'est terminée avant tout envoi : relancez le fichier."
    ),
    "The last run that succeeded is of {started}.": ("La dernière exécution réussie date du {started}."),
    "The last run that succeeded is of {started}: is the schedule on?": (
        "La dernière exécution réussie date du {started} : la planification est-elle active ?"
    ),
    "The log {path} cannot be written ({reason}): check --log-file.": (
        "Le journal {path} ne peut pas être écrit ({reason}) : vérifiez --log-file."
    ),
    "The state folder {path} can be written; {free} MB are free.": (
        "Le dossier d'état {path} est accessible en écriture ; {free} Mo sont libres."
    ),
    "The state folder {path} cannot be written: check its permissions, or --state-dir.": (
        "Le dossier d'état {path} n'est pas accessible en écriture : vérifiez ses droits, ou --state-dir."
    ),
    "There is no ledger in {path}: check --state-dir, or run a file first.": (
        "Il n'y a pas de registre dans {path} : vérifiez --state-dir, ou lancez d'abord un fichier."
    ),
    "There is no ledger yet: the first run will send every row.": (
        "Il n'y a pas encore de registre : la première exécution enverra toutes les lignes."
    ),
    "There is no run whose rows are still kept: run the file again.": (
        "Il n'y a pas d'exécution dont les lignes soient encore conservées : relancez le fichier."
    ),
    "The history has nothing to tell of that.": "L'historique n'a rien à en dire.",
    "Times of day are those of {zone}.": ("Les heures sont celles de {zone}."),
    "What --ping gives is no address: it must begin with https:// or http://.": (
        "Ce que --ping indique n'est pas une adresse : elle doit commencer par https:// ou http://."
    ),
    "The ping could not be sent ({reason}): check --ping.": ("Le ping n'a pas pu être envoyé ({reason}) : vérifiez --ping."),
    "and {count} more causes, in the report.": ("Autres causes, dans le rapport : {count}."),
    "cron does not find the program by its name: write {path} in the crontab.": (
        "cron ne trouve pas le programme par son nom : écrivez {path} dans la crontab."
    ),
    "cron finds the program: {path}.": ("cron trouve le programme : {path}."),
    "crontab -e, as {user}:": ("crontab -e, en tant que {user} :"),
    "cut short": ("interrompue"),
    "under way": ("en cours"),
    "It was cut short.": ("Elle a été interrompue."),
    "The log would take the place of {path}: correct --log-file.": (
        "Le journal prendrait la place de {path} : corrigez --log-file."
    ),
    "The API at {url} cannot be reached, or does not answer: check --base-url, the network and the proxy.": (
        "L'API à l'adresse {url} est injoignable, ou ne répond pas : vérifiez --base-url, le réseau et le proxy."
    ),
    "{name}: parted by “{delimiter}”, none of the first {searched} rows is a header with a contactId column: "
    "correct --delimiter, or leave it out.": (
        "{name} : séparée par « {delimiter} », aucune des {searched} premières lignes n'est un en-tête avec une "
        "colonne contactId : corrigez --delimiter, ou omettez-le."
    ),
    "loading": ("lecture"),
    "sending": ("envoi"),
    "exit {code}": ("code {code}"),
    "ok": ("ok"),
    "row {number}": ("ligne {number}"),
    "row {number}: {sentence}": ("ligne {number} : {sentence}"),
    "{clears} cells would empty a stored field, more than {most}, so nothing was sent: check the source, "
    "or allow more with --max-clears.": (
        "Cellules qui videraient un champ enregistré : {clears}, plus de {most} ; rien n'a été envoyé : "
        "vérifiez le fichier source, ou autorisez-en plus avec --max-clears."
    ),
    "{field}, column {letter}: {sentence}": ("{field}, colonne {letter} : {sentence}"),
    "{invalid} of {rows} rows are invalid, more than {most} %, so nothing was sent: correct the source, "
    "or allow more with --max-invalid.": (
        "Lignes invalides : {invalid} sur {rows}, plus de {most} % ; rien n'a été envoyé : corrigez le "
        "fichier source, ou autorisez-en plus avec --max-invalid."
    ),
    "{name} is no workbook, and --sheet is for workbooks alone.": (
        "{name} n'est pas un classeur, et --sheet ne vaut que pour les classeurs."
    ),
    "{name} is a workbook, and --delimiter and --encoding are for CSV alone.": (
        "{name} est un classeur, et --delimiter et --encoding ne valent que pour le CSV."
    ),
    "{sentence} (Rows with nothing but a contactId are not counted: {others}.)": (
        "{sentence} (Les lignes qui n'ont qu'un contactId ne comptent pas : {others}.)"
    ),
    "{path} cannot be moved to {folder} ({reason}): check the folder.": (
        "{path} ne peut pas être déplacé vers {folder} ({reason}) : vérifiez le dossier."
    ),
    "{path} cannot be read ({reason}): check the folder.": ("{path} ne peut pas être lu ({reason}) : vérifiez le dossier."),
    "{path} has no ledger of this account: give --account or the API key, and --base-url, as the run had them.": (
        "{path} n'a pas de registre de ce compte : indiquez --account ou la clé API, et --base-url, comme lors de l'exécution."
    ),
    "{path} was changed or replaced while it was run: it stays for the next run, and the report of the one that "
    "was run is in {folder}.": (
        "{path} a été modifié ou remplacé pendant son exécution : il reste pour la prochaine exécution, et le rapport de ce "
        "qui a été exécuté est dans {folder}."
    ),
    "{path} is now {place}.": ("{path} est maintenant {place}."),
    "{refused} (The report {path} is from an earlier run.)": ("{refused} (Le rapport {path} date d'une exécution précédente.)"),
    "{rows} rows, the first is row {first}: {sentence}": ("{rows} lignes, la première est la ligne {first} : {sentence}"),
    "{changed} of {known} known contacts change first name, last name and phone number at once, more "
    "than {most} %, as when a column is sorted alone, so nothing was sent: check that each contactId "
    "stands beside its own person, or allow more with --max-identity-changes.": (
        "Contacts connus qui changent à la fois de prénom, de nom et de numéro de téléphone : {changed} "
        "sur {known}, plus de {most} %, comme lorsqu'une colonne est triée seule ; rien n'a été envoyé : "
        "vérifiez que chaque contactId est à côté de la bonne personne, ou autorisez-en plus avec "
        "--max-identity-changes."
    ),
    # how sentences are put together
    "“{text}”": "« {text} »",
    "{name}, sheet “{title}”": "{name}, feuille « {title} »",
    "{first} to {last}": "{first} à {last}",
    "{rows} and {last}": "{rows} et {last}",
    "{rows} and {more} more": "{rows} et {more} de plus",
    "{rows} and {more} more times": "{rows}, et {more} fois encore",
    "{name} {refusal}": "Le fichier {name} {refusal}",
    # of a row, contactId
    "There is no contactId: fill it in, or delete the row.": "Le contactId manque : saisissez-le, ou supprimez la ligne.",
    "The contactId was destroyed by Excel (1.23E+15): type it again in a cell formatted as text.": (
        "Le contactId a été détruit par Excel (1.23E+15) : ressaisissez-le dans une cellule au format texte."
    ),
    "The contactId has more digits than Excel keeps (15), so its end is lost: type it again in a cell formatted as text.": (
        "Le contactId a plus de chiffres qu'Excel n'en conserve (15), sa fin est donc perdue : ressaisissez-le dans une cellule "
        "au format texte."
    ),
    "The contactId ends in a decimal (12345.0): type it again without the decimals.": (
        "Le contactId se termine par une décimale (12345.0) : ressaisissez-le sans décimale."
    ),
    "This looks like a total, not a contact: delete the row.": (
        "Ceci ressemble à un total, pas à un contact : supprimez la ligne."
    ),
    "The contactId holds a space or a character that no id has: copy it again from SMS Partner.": (
        "Le contactId contient un espace ou un caractère qu'aucun identifiant ne comporte : copiez-le à nouveau depuis SMS "
        "Partner."
    ),
    "The contactId has more than 80 characters: copy it again from SMS Partner.": (
        "Le contactId a plus de 80 caractères : copiez-le à nouveau depuis SMS Partner."
    ),
    "The contactId cannot be emptied: write the id of the contact.": (
        "Le contactId ne peut pas être vidé : saisissez l'identifiant du contact."
    ),
    "Rows {rows} give different values for this contact: keep one of them.": (
        "Les lignes {rows} donnent des valeurs différentes pour ce contact : n'en gardez qu'une."
    ),
    # of a row, the row as a whole
    "Nothing but a contactId: fill in a field, or delete the row.": (
        "Rien d'autre qu'un contactId : remplissez un champ, ou supprimez la ligne."
    ),
    "This is the header once more, as where two files were put together: delete the row.": (
        "C'est l'en-tête une seconde fois, comme lorsque deux fichiers sont mis bout à bout : supprimez la ligne."
    ),
    "The row has {cells} cells for {columns} columns, its values may have moved: complete it where <?> stands.": (
        "La ligne a {cells} cellule(s) pour {columns} colonnes, ses valeurs ont pu se décaler : complétez-la là où figure <?>."
    ),
    "The row has {cells} cells for {columns} columns: quote the cell that holds the delimiter, and delete <?>.": (
        "La ligne a {cells} cellules pour {columns} colonnes : mettez entre guillemets la cellule qui contient le séparateur, et "
        "supprimez <?>."
    ),
    "The row still holds <?>, where cells had moved, or no report can show them: correct them, and delete it.": (
        "La ligne contient encore <?>, là où des cellules s'étaient décalées ou contenaient ce qu'un rapport ne peut pas "
        "montrer : corrigez-les, et supprimez ce repère."
    ),
    "Row {row} counts for this contact, as --duplicates asks; this one was not sent.": (
        "La ligne {row} fait foi pour ce contact, comme le demande --duplicates ; celle-ci n'a pas été envoyée."
    ),
    "The row is hidden and was left out, as --hidden skip asks.": (
        "La ligne est masquée et a été laissée de côté, comme le demande --hidden skip."
    ),
    "The contact was forgotten, so the row is not sent.": ("Le contact a été oublié, la ligne n'est donc pas envoyée."),
    # of a row, any text
    "{field} has {length} characters, {limit} at most: shorten it.": (
        "{field} a {length} caractères, {limit} au plus : raccourcissez le texte."
    ),
    "{field} holds a control character or a line break: type it again.": (
        "{field} contient un caractère de contrôle ou un saut de ligne : ressaisissez le texte."
    ),
    "{field} stands in quotation marks: take them off, and any space before them.": (
        "{field} est entre guillemets : retirez-les, ainsi que tout espace qui les précède."
    ),
    "{field} holds damaged characters, as in “LefÃ¨vre”: type it again, and export as UTF-8.": (
        "{field} contient des caractères abîmés, comme dans « LefÃ¨vre » : ressaisissez le texte, et exportez en UTF-8."
    ),
    "{field} shows a spreadsheet error ({error}): mend the formula.": (
        "{field} affiche une erreur de tableur ({error}) : corrigez la formule."
    ),
    "{field} holds a formula that was never calculated: open the file in Excel and save it.": (
        "{field} contient une formule qui n'a jamais été calculée : ouvrez le fichier dans Excel et enregistrez-le."
    ),
    "{field} holds \\N, by which a database means no value: leave the cell empty.": (
        "{field} contient \\N, par quoi une base de données indique l'absence de valeur : laissez la cellule vide."
    ),
    "{field} holds {kind} instead of text: type the value as text.": (
        "{field} contient {kind} au lieu d'un texte : saisissez la valeur en texte."
    ),
    "{field} is part of merged cells: unmerge them and fill in each row.": (
        "{field} fait partie de cellules fusionnées : défusionnez-les et remplissez chaque ligne."
    ),
    # of a row, phoneNumber
    "phoneNumber cannot be emptied: write the number, or leave the cell blank.": (
        "phoneNumber ne peut pas être vidé : saisissez le numéro, ou laissez la cellule vide."
    ),
    "The phone number was destroyed by Excel (3.36E+10): type it again in a cell formatted as text.": (
        "Le numéro de téléphone a été détruit par Excel (3.36E+10) : ressaisissez-le dans une cellule au format texte."
    ),
    "The phone number holds letters or other characters: write digits only.": (
        "Le numéro de téléphone contient des lettres ou d'autres caractères : ne saisissez que des chiffres."
    ),
    "The cell holds several phone numbers: keep one.": "La cellule contient plusieurs numéros de téléphone : n'en gardez qu'un.",
    "No such phone number exists: check the digits, or begin with + and the country code.": (
        "Ce numéro de téléphone n'existe pas : vérifiez les chiffres, ou commencez par + et l'indicatif du pays."
    ),
    "This is not a mobile number, so no SMS can reach it: write the mobile number.": (
        "Ce n'est pas un numéro de mobile, aucun SMS ne peut donc lui parvenir : saisissez le numéro de mobile."
    ),
    # of a row, date
    "The date cannot be read: write it as 31/12/2020 or 2020-12-31.": (
        "La date est illisible : saisissez-la sous la forme 31/12/2020 ou 2020-12-31."
    ),
    "There is no such day in the calendar: correct the date.": "Ce jour n'existe pas dans le calendrier : corrigez la date.",
    "The year has two digits: write all four.": "L'année n'a que deux chiffres : saisissez les quatre.",
    "This is Excel's number for a day, not a date: format the cell as a date.": (
        "C'est le numéro d'un jour dans Excel, pas une date : mettez la cellule au format date."
    ),
    "The month stands before the day: write the day first, 31/12/2020, or 2020-12-31.": (
        "Le mois précède le jour : saisissez le jour en premier, 31/12/2020, ou bien 2020-12-31."
    ),
    "Other rows of this column have the month before the day, so this date can be read two ways: write 2020-12-31.": (
        "D'autres lignes de cette colonne ont le mois avant le jour, cette date peut donc se lire de deux façons : saisissez "
        "2020-12-31."
    ),
    "The date is out of range ({earliest} to {latest}): correct it.": (
        "La date est hors limites (du {earliest} au {latest}) : corrigez-la."
    ),
    "The date has a time of day or a time zone, so the day is not certain: write the day alone.": (
        "La date comporte une heure ou un fuseau horaire, le jour n'est donc pas certain : saisissez le jour seul."
    ),
    # of a row, url
    "The address must begin with http:// or https://: write it whole.": (
        "L'adresse doit commencer par http:// ou https:// : saisissez-la en entier."
    ),
    "The address names no valid host: correct it.": "L'adresse ne désigne aucun site valide : corrigez-la.",
    "The address holds a space or a character that no address has: correct it.": (
        "L'adresse contient un espace ou un caractère qu'aucune adresse ne comporte : corrigez-la."
    ),
    "The address holds a user name or a password: take it out.": (
        "L'adresse contient un nom d'utilisateur ou un mot de passe : retirez-le."
    ),
    # of a row, the API's answer
    "The API confirmed, but stored something else as {field}: compare in SMS Partner; it will be sent again.": (
        "L'API a confirmé, mais a enregistré autre chose pour {field} : comparez dans SMS Partner ; la p"
        "rochaine exécution renvoie la ligne."
    ),
    "The API confirmed, but for another contactId: compare both contacts in SMS Partner.": (
        "L'API a confirmé, mais pour un autre contactId : comparez les deux contacts dans SMS Partner."
    ),
    "The API confirmed without showing {field}: compare in SMS Partner; it will be sent again.": (
        "L'API a confirmé sans montrer {field} : comparez dans SMS Partner ; la prochaine exécution renvoie la ligne."
    ),
    "SMS Partner knows no contact with this contactId: correct it, or delete the row.": (
        "SMS Partner ne connaît aucun contact avec ce contactId : corrigez-le, ou supprimez la ligne."
    ),
    "Another contact of the group already has this phone number: remove one of them.": (
        "Un autre contact du groupe a déjà ce numéro de téléphone : supprimez l'un des deux."
    ),
    "SMS Partner refused the row (code {code}: {text}): correct the contact.": (
        "SMS Partner a refusé la ligne (code {code} : {text}) : corrigez le contact."
    ),
    "The API could not be reached: the next run sends the row again.": (
        "L'API n'a pas pu être jointe : la prochaine exécution renverra la ligne."
    ),
    "The API did not answer ({reason}), so the row may have been applied or not: the next run sends it again.": (
        "L'API n'a pas répondu ({reason}), la ligne a donc pu être appliquée ou non : la prochaine exécution la renverra."
    ),
    "The API failed ({reason}): the next run sends the row again.": (
        "L'API a échoué ({reason}) : la prochaine exécution renverra la ligne."
    ),
    "The API asked for fewer requests: the next run sends the row again.": (
        "L'API a demandé moins de requêtes : la prochaine exécution renverra la ligne."
    ),
    "The API's answer could not be understood ({reason}): the next run sends the row again.": (
        "La réponse de l'API est incompréhensible ({reason}) : la prochaine exécution renverra la ligne."
    ),
    "The run was stopped by the answer to this row: mend what the summary says, the next run sends it again.": (
        "La réponse à cette ligne a arrêté l'exécution : corrigez ce que dit le résumé, la prochaine exécution la renverra."
    ),
    "The answer to this row could not be recorded: the next run sends it again.": (
        "La réponse à cette ligne n'a pas pu être enregistrée : la prochaine exécution la renverra."
    ),
    # of a row, rows whose turn did not come
    "The run stopped before this row. {reason} The next run that is not stopped sends it.": (
        "L'exécution s'est arrêtée avant cette ligne. {reason} La prochaine qui ira à son terme l'enverra."
    ),
    "The run was to send {limit} rows at most, as --limit asks: the next run sends this one.": (
        "L'exécution devait envoyer {limit} ligne(s) au plus, comme le demande --limit : la prochaine exécution enverra celle-ci."
    ),
    # loading, what a file is
    "{name} is empty: export it again.": "Le fichier {name} est vide : exportez-le à nouveau.",
    "{name} is an empty zip archive: give the file of contacts itself.": (
        "Le fichier {name} est une archive zip vide : indiquez le fichier de contacts lui-même."
    ),
    "{name} is compressed with gzip: unpack it first.": "Le fichier {name} est compressé avec gzip : décompressez-le d'abord.",
    "{name} is a PDF: export the contacts as CSV or .xlsx.": (
        "Le fichier {name} est un PDF : exportez les contacts en CSV ou en .xlsx."
    ),
    "{name} is a RAR archive: unpack it first.": "Le fichier {name} est une archive RAR : décompressez-la d'abord.",
    "{name} is a 7z archive: unpack it first.": "Le fichier {name} est une archive 7z : décompressez-la d'abord.",
    "{name} is a picture: export the contacts as CSV or .xlsx.": (
        "Le fichier {name} est une image : exportez les contacts en CSV ou en .xlsx."
    ),
    "{name} is a text document (RTF): export the contacts as CSV or .xlsx.": (
        "Le fichier {name} est un document texte (RTF) : exportez les contacts en CSV ou en .xlsx."
    ),
    "{name} is a workbook of a very old Excel: open it, and save it as .xlsx.": (
        "Le fichier {name} est un classeur d'une très ancienne version d'Excel : ouvrez-le, et enregistrez-le en .xlsx."
    ),
    "{name} is protected by a password: save it without one.": (
        "Le fichier {name} est protégé par un mot de passe : enregistrez-le sans mot de passe."
    ),
    "{name} is an old Office file, but not a workbook that can be read: save it as .xlsx or CSV.": (
        "Le fichier {name} est un ancien fichier Office, mais pas un classeur lisible : enregistrez-le en .xlsx ou en CSV."
    ),
    "{name} is damaged, or still being copied: open it in Excel and save it again.": (
        "Le fichier {name} est endommagé, ou sa copie n'est pas terminée : ouvrez-le dans Excel et enregistrez-le à nouveau."
    ),
    "{name} is damaged, or still being copied: open it, and save it as .xlsx.": (
        "Le fichier {name} est endommagé, ou sa copie n'est pas terminée : ouvrez-le, et enregistrez-le en .xlsx."
    ),
    "{name} is a Word document: export the contacts as CSV or .xlsx.": (
        "Le fichier {name} est un document Word : exportez les contacts en CSV ou en .xlsx."
    ),
    "{name} is a zip archive: unpack it, and give the file of contacts itself.": (
        "Le fichier {name} est une archive zip : décompressez-la, et indiquez le fichier de contacts lui-même."
    ),
    "{name} is a web page, perhaps a login page: download the contacts again as CSV or .xlsx.": (
        "Le fichier {name} est une page web, peut-être une page de connexion : téléchargez à nouveau les contacts en CSV ou en "
        ".xlsx."
    ),
    "{name} is a web page: export the contacts as CSV or .xlsx.": (
        "Le fichier {name} est une page web : exportez les contacts en CSV ou en .xlsx."
    ),
    "{name} is an XML document: export the contacts as CSV or .xlsx.": (
        "Le fichier {name} est un document XML : exportez les contacts en CSV ou en .xlsx."
    ),
    "{name} is a flat XML spreadsheet (.fods): open it in LibreOffice and save it as .ods.": (
        "Le fichier {name} est un classeur XML plat (.fods) : ouvrez-le dans LibreOffice et enregistrez-le en .ods."
    ),
    "{name} is an XML spreadsheet of 2003: open it in Excel and save it as .xlsx.": (
        "Le fichier {name} est un classeur XML de 2003 : ouvrez-le dans Excel et enregistrez-le en .xlsx."
    ),
    "{name} is only a shortcut to Google Drive: download the sheet as .xlsx.": (
        "Le fichier {name} n'est qu'un raccourci vers Google Drive : téléchargez la feuille en .xlsx."
    ),
    "{name} is JSON: export the contacts as CSV or .xlsx.": (
        "Le fichier {name} est du JSON : exportez les contacts en CSV ou en .xlsx."
    ),
    "{name} is a Strict Open XML workbook: save it as “Excel workbook (.xlsx)”.": (
        "Le fichier {name} est un classeur Strict Open XML : enregistrez-le comme « Classeur Excel (.xlsx) »."
    ),
    # loading, the private copy
    "There is no temporary folder for a private copy of {name} ({reason}): set TMPDIR.": (
        "Aucun dossier temporaire pour une copie privée de {name} ({reason}) : définissez TMPDIR."
    ),
    "{name} is open in an office program ({owner} is there): changes not saved yet are not in this run.": (
        "{name} est ouvert dans un logiciel de bureautique ({owner} est présent) : les modifications non enregistrées ne font "
        "pas partie de cette exécution."
    ),
    "{name} is only the mark that an office program has a file open: give the file itself.": (
        "{name} n'est que la marque d'un fichier ouvert dans un logiciel de bureautique : indiquez le fichier lui-même."
    ),
    "{name} is still being written after {seconds:.0f} s: run again when it is complete.": (
        "Le fichier {name} est encore en cours d'écriture après {seconds:.0f} s : relancez quand il sera complet."
    ),
    "{name} is a folder: give a file of contacts.": "{name} est un dossier : indiquez un fichier de contacts.",
    "{name} is not a regular file (a pipe or a device): save it as a file first.": (
        "{name} n'est pas un fichier ordinaire (tube ou périphérique) : enregistrez-le d'abord dans un fichier."
    ),
    "There is no room for a private copy of {name} ({reason}): free some.": (
        "Il n'y a pas de place pour une copie privée de {name} ({reason}) : libérez-en."
    ),
    "{path} does not exist: check the name, and whether the export has run.": (
        "{path} n'existe pas : vérifiez le nom, et que l'export a bien eu lieu."
    ),
    "{path} cannot be read: permission denied; let this user read it.": (
        "{path} ne peut pas être lu, faute de droits : donnez à cet utilisateur le droit de le lire."
    ),
    "{path} cannot be read: {reason}.": "{path} ne peut pas être lu : {reason}.",
    # loading, encodings
    "{name} is read as UTF-16 although it does not say so: check the names.": (
        "{name} est lu en UTF-16 bien que rien ne l'indique : vérifiez les noms."
    ),
    "{name} is read as {encoding}, which few programs write: check the names, and give --encoding {encoding} if they are "
    "right.": (
        "{name} est lu en {encoding}, que peu de logiciels utilisent : vérifiez les noms, et indiquez --encoding {encoding} "
        "s'ils sont justes."
    ),
    "{name} is read as {encoding}, where “{odd}” would be unusual: check the names, or give --encoding.": (
        "{name} est lu en {encoding}, où « {odd} » serait inhabituel : vérifiez les noms, ou indiquez --encoding."
    ),
    "--encoding {encoding} is not known: give utf-8, cp1252, mac_roman, cp850 or another.": (
        "--encoding {encoding} est inconnu : indiquez utf-8, cp1252, mac_roman, cp850 ou un autre encodage."
    ),
    "{name}, line {line}: this is not {encoding}; the file is damaged or cut off: export it again as CSV UTF-8, or give "
    "--encoding.": (
        "{name}, ligne {line} : le texte n'est pas en {encoding} ; le fichier est endommagé ou tronqué : exportez-le à nouveau "
        "en CSV UTF-8, ou indiquez --encoding."
    ),
    "{name}, line {line}: there are NUL characters (empty bytes), so the file is damaged or was not written to its end: "
    "export it again.": (
        "{name}, ligne {line} : il y a des caractères NUL (octets vides), le fichier est donc endommagé ou incomplet : "
        "exportez-le à nouveau."
    ),
    "{name} has a line of more than {limit} million characters: it is not a table of contacts.": (
        "{name} a une ligne de plus de {limit} millions de caractères : ce n'est pas un tableau de contacts."
    ),
    "{name} is cut off in the middle of a character, on line {line}: export it again.": (
        "Le fichier {name} est coupé au milieu d'un caractère, à la ligne {line} : exportez-le à nouveau."
    ),
    "{name} mixes two encodings: lines {utf8} are UTF-8, lines {others} are not; export all of it again as CSV UTF-8.": (
        "Le fichier {name} mélange deux encodages : lignes {utf8} en UTF-8, lignes {others} dans un autre ; exportez-le à "
        "nouveau en entier en CSV UTF-8."
    ),
    "{name}: its accented letters cannot be read with certainty: save it in Excel as “CSV UTF-8”, or give --encoding.": (
        "{name} : ses lettres accentuées ne peuvent pas être lues avec certitude : enregistrez-le dans Excel en « CSV UTF-8 », "
        "ou indiquez --encoding."
    ),
    # loading, CSV
    "CSV with {delimiter} in {encoding}, header on line {line}.": (
        "CSV, séparateur {delimiter}, encodage {encoding}, en-tête à la ligne {line}."
    ),
    "tab": "tabulation",
    "The last row is short and does not end in a line break: the file may be incomplete.": (
        "La dernière ligne est trop courte et ne se termine pas par un saut de ligne : le fichier est peut-être incomplet."
    ),
    "{name}: {ragged} of {total} rows do not have the {cells} cells of the header (lines {lines}): check the header and the "
    "delimiter, and export it again.": (
        "{name} : {ragged} ligne(s) sur {total} n'ont pas les {cells} cellules de l'en-tête (lignes {lines}) : vérifiez "
        "l'en-tête et le séparateur, et exportez à nouveau le fichier."
    ),
    "{name}, line {line}: the header has more than {widest} columns: it is not a table of contacts.": (
        "{name}, ligne {line} : l'en-tête a plus de {widest} colonnes : ce n'est pas un tableau de contacts."
    ),
    "{name}, line {line}: the row that starts here has a quote that is not closed, or not doubled inside a cell: correct it, "
    "or export it again.": (
        "{name}, ligne {line} : la ligne qui commence ici a un guillemet qui n'est pas fermé, ou pas doublé dans une cellule : "
        "corrigez-le, ou exportez à nouveau le fichier."
    ),
    # loading, the header
    "{where} is empty in its first {searched} rows, where the header must be: export it again.": (
        "{where} : les {searched} premières lignes, où doit se trouver l'en-tête, sont vides : exportez à nouveau le fichier."
    ),
    "{where}: the header on row {row} has contactId but no column to send ({fields}): add one, or name it with --map.": (
        "{where} : l'en-tête de la ligne {row} a contactId mais aucune colonne à envoyer ({fields}) : ajoutez-en une, ou "
        "nommez-la avec --map."
    ),
    "{where}: none of the first {searched} rows is a header with a contactId column; row {row} reads {shown}. Each line is "
    'quoted as one cell. Add the header, or name the column, as in --map "Réf client=contactId".': (
        "{where} : aucune des {searched} premières lignes n'est un en-tête avec une colonne contactId ; la ligne {row} contient "
        "{shown}. Chaque ligne est entre guillemets comme une seule cellule. Ajoutez l'en-tête, ou nommez la colonne, par "
        'exemple --map "Réf client=contactId".'
    ),
    "{where}: none of the first {searched} rows is a header with a contactId column; row {row} reads {shown}. Add the header, "
    'or name the column, as in --map "Réf client=contactId".': (
        "{where} : aucune des {searched} premières lignes n'est un en-tête avec une colonne contactId ; la ligne {row} contient "
        '{shown}. Ajoutez l\'en-tête, ou nommez la colonne, par exemple --map "Réf client=contactId".'
    ),
    "nothing that names a field": ("des cellules dont aucune ne nomme un champ"),
    "--map names a column “{column}” that {where} does not have: correct the option.": (
        "--map nomme une colonne « {column} » absente de {where} : corrigez l'option."
    ),
    '{where}, row {row}: column {letter} “{column}” is close to {field}: correct the header, or give --map "{column}={field}".': (
        "{where}, ligne {row} : la colonne {letter} « {column} » ressemble à {field} : corrigez l'en-tête, ou indiquez --map "
        '"{column}={field}".'
    ),
    "{where}, row {row}: columns {letter} “{column}” and {other_letter} “{other_column}” both mean {field}: rename or delete "
    "one, or choose with --map.": (
        "{where}, ligne {row} : les colonnes {letter} « {column} » et {other_letter} « {other_column} » désignent toutes deux "
        "{field} : renommez ou supprimez-en une, ou choisissez avec --map."
    ),
    "--map “{header}={field}”: there is no field {field}, only {fields}.": (
        "--map « {header}={field} » : le champ {field} n'existe pas ; les champs sont {fields}."
    ),
    "(no name)": "(sans nom)",
    "Mapped: {columns}.": "Colonnes reconnues : {columns}.",
    "Not sent, only carried to the report: {columns}.": "Non envoyées, seulement recopiées dans le rapport : {columns}.",
    "This is the report of an earlier run: its sync_ columns are ignored.": (
        "C'est le rapport d'une exécution précédente : ses colonnes sync_ sont ignorées."
    ),
    "Row {row} stands above the header (row {header}) and is not read, although it looks like data: check the order.": (
        "La ligne {row} se trouve au-dessus de l'en-tête (ligne {header}) et n'est pas lue, bien qu'elle ressemble à des "
        "données : vérifiez l'ordre."
    ),
    # loading, workbooks
    "Sheet “{title}”, header on row {row}.": "Feuille « {title} », en-tête à la ligne {row}.",
    "{name} has no visible sheet: correct the file, or --sheet.": (
        "{name} n'a aucune feuille visible : corrigez le fichier, ou --sheet."
    ),
    "{name} has no sheet “{sheet}”, only {sheets}: correct the file, or --sheet.": (
        "{name} n'a pas de feuille « {sheet} », seulement {sheets} : corrigez le fichier, ou --sheet."
    ),
    "{name} has several sheets of contacts, {sheets}: choose one with --sheet.": (
        "{name} a plusieurs feuilles de contacts, {sheets} : choisissez-en une avec --sheet."
    ),
    "{name}: none of the sheets {sheets} has a header with contactId and a column to send in its first {searched} rows: add "
    "it, or name the columns with --map.": (
        "{name} : aucune des feuilles {sheets} n'a, dans ses {searched} premières lignes, un en-tête avec contactId et une "
        "colonne à envoyer : ajoutez-le, ou nommez les colonnes avec --map."
    ),
    "{where}, row {row}: the header of {fields} is merged with other cells: unmerge it.": (
        "{where}, ligne {row} : l'en-tête de {fields} est fusionné avec d'autres cellules : défusionnez-le."
    ),
    "{where}: the columns of {fields} are hidden: show them, or choose --hidden include or --hidden skip.": (
        "{where} : des colonnes à lire sont masquées ({fields}) : affichez-les, ou choisissez --hidden include ou --hidden skip."
    ),
    "{where} has hidden or filtered-out rows, {rows} in all: show them, or choose --hidden include or --hidden skip.": (
        "{where} a des lignes masquées ou filtrées, {rows} en tout : affichez-les, ou choisissez --hidden include ou --hidden "
        "skip."
    ),
    "{name} has {parts} parts inside, {limit} at most: copy the contacts to a new workbook.": (
        "Le fichier {name} contient {parts} parties, pour {limit} au plus : copiez les contacts dans un nouveau classeur."
    ),
    "{name} holds one of its parts twice, so what it says is not certain: open it in Excel and save it again.": (
        "Le fichier {name} contient deux fois l'une de ses parties, son contenu n'est donc pas certain : ouvrez-le dans Excel et "
        "enregistrez-le à nouveau."
    ),
    "{name} unpacks to more than 1 GB: copy the contacts to a new workbook.": (
        "Le fichier {name} dépasse 1 Go une fois décompressé : copiez les contacts dans un nouveau classeur."
    ),
    "{name} unpacks to more than {ratio} times its size: copy the contacts to a new workbook.": (
        "Le fichier {name} fait plus de {ratio} fois sa taille une fois décompressé : copiez les contacts dans un nouveau "
        "classeur."
    ),
    "{name} holds instructions (a document type) that no workbook needs: open it in Excel and save it again.": (
        "Le fichier {name} contient des instructions (un type de document) dont aucun classeur n'a besoin : ouvrez-le dans Excel "
        "et enregistrez-le à nouveau."
    ),
    "{where}: its rows are out of order at row {row}: open it in Excel and save it again.": (
        "{where} : les lignes sont dans le désordre à la ligne {row} : ouvrez le fichier dans Excel et enregistrez-le à nouveau."
    ),
    "{where}: its cells are out of order at row {row}: open it in Excel and save it again.": (
        "{where} : les cellules sont dans le désordre à la ligne {row} : ouvrez le fichier dans Excel et enregistrez-le à "
        "nouveau."
    ),
    "{where}: cell {column}{row} holds something far right of any table of contacts, of which {widest} columns are read: "
    "delete it.": (
        "{where} : la cellule {column}{row} a un contenu bien à droite de tout tableau de contacts, dont {widest} colonnes sont "
        "lues : supprimez-le."
    ),
    "{formulas} formulas in the columns to send show nothing, and may never have been calculated: if that is not meant, open "
    "the file in Excel and save it as .xlsx.": (
        "Des formules des colonnes à envoyer n'affichent rien ({formulas} en tout), et n'ont peut-être jamais été calculées : si "
        "ce n'est pas voulu, ouvrez le fichier dans Excel et enregistrez-le en .xlsx."
    ),
    "{name} cannot be read: it takes more {what} than any table of contacts; save it as .xlsx.": (
        "{name} ne peut pas être lu : il demande plus de {what} qu'aucun tableau de contacts ; enregistrez-le en .xlsx."
    ),
    "time": "temps",
    "memory": "mémoire",
    "time or memory": "temps ou de mémoire",
    "{name} cannot be read (its reader ended with {code}): save it as .xlsx.": (
        "{name} ne peut pas être lu (son lecteur s'est terminé avec le code {code}) : enregistrez-le en .xlsx."
    ),
    "There is no room for the rows of {name} ({reason}): free some.": (
        "Il n'y a pas de place pour les lignes de {name} ({reason}) : libérez-en."
    ),
    "is protected by a password: save it without one.": "est protégé par un mot de passe : enregistrez-le sans mot de passe.",
    "has rows that are out of order at row {row}: save it as .xlsx.": (
        "a des lignes dans le désordre à la ligne {row} : enregistrez-le en .xlsx."
    ),
    "has cells that are out of order at row {row}: save it as .xlsx.": (
        "a des cellules dans le désordre à la ligne {row} : enregistrez-le en .xlsx."
    ),
    "has more than {limit} merged cells: unmerge them.": "a plus de {limit} cellules fusionnées : défusionnez-les.",
    "holds more text than a table of contacts, at row {row}: copy the contacts to a new workbook.": (
        "contient plus de texte qu'un tableau de contacts, à la ligne {row} : copiez les contacts dans un nouveau classeur."
    ),
    "holds something in row {row}, column {column}, far outside any table of contacts, of which {widest} columns are read: "
    "delete it.": (
        "a un contenu à la ligne {row}, colonne {column}, bien en dehors de tout tableau de contacts, dont {widest} colonnes "
        "sont lues : supprimez-le."
    ),
    # loading, what a cell holds
    "TRUE or FALSE": "VRAI ou FAUX",
    "a number longer than the 15 digits that Excel keeps": "un nombre plus long que les 15 chiffres conservés par Excel",
    "no number (NaN)": "ce qui n'est pas un nombre (NaN)",
    "a date": "une date",
    "a time of day": "une heure",
    "a duration": "une durée",
    # rules, what was put right
    "lost the apostrophe or the formula around the id": "apostrophe ou formule retirée autour de l'identifiant",
    "got back the leading 0 that a spreadsheet took": "0 initial rétabli, qu'un tableur avait supprimé",
    "got the country code of an overseas department": "indicatif d'un département d'outre-mer ajouté",
    "{region} is not a region: give the two letters of ISO 3166, such as FR.": (
        "{region} n'est pas une région : indiquez les deux lettres de la norme ISO 3166, comme FR."
    ),
    # damage
    "In rows {rows}, column {column}, each phone number is one more than the one above, as when a cell is dragged down: check "
    "them.": (
        "Lignes {rows}, colonne {column} : chaque numéro de téléphone vaut un de plus que celui du dessus, comme lorsqu'on "
        "recopie une cellule vers le bas : vérifiez-les."
    ),
    "The source has {rows} rows, where the last {nights} runs had {usual}: check that it is whole.": (
        "Nombre de lignes du fichier source : {rows}, contre {usual} lors des {nights} dernières exécutions ; vérifiez qu'il est "
        "complet."
    ),
    "{changed} of {rows} rows are new or changed, where the last {nights} runs had {percent:.0f}% at most: check that the "
    "columns are the right ones.": (
        "Lignes nouvelles ou modifiées : {changed} sur {rows}, contre {percent:.0f} % au plus lors des {nights} dernières "
        "exécutions ; vérifiez que les colonnes sont les bonnes."
    ),
    # api and send
    "The base URL {url} is not an address: correct --base-url.": (
        "L'URL de base {url} n'est pas une adresse : corrigez --base-url."
    ),
    "The proxy in {variable} cannot be used: correct the variable, or except {host} with NO_PROXY.": (
        "Le proxy de {variable} est inutilisable : corrigez la variable, ou excluez {host} avec NO_PROXY."
    ),
    "{host} has no certificate that this machine trusts: check the base URL, the clock and SSL_CERT_FILE.": (
        "{host} n'a pas de certificat auquel cette machine se fie : vérifiez l'URL de base, l'horloge et SSL_CERT_FILE."
    ),
    "{variable} must be an address with http:// to be used: correct it, or except {host} with NO_PROXY.": (
        "{variable} doit être une adresse en http:// pour être utilisable : corrigez-la, ou excluez {host} avec NO_PROXY."
    ),
    "SSL_CERT_FILE or SSL_CERT_DIR ({named}) holds no certificates: correct it ({reason}).": (
        "SSL_CERT_FILE ou SSL_CERT_DIR ({named}) ne contient aucun certificat : corrigez la variable ({reason})."
    ),
    "no answer in time": "pas de réponse dans le délai",
    "the connection was closed": "la connexion a été fermée",
    "the answer was cut or malformed": "la réponse était tronquée ou mal formée",
    "more than 1 MB": "plus de 1 Mo",
    "The API redirects to {target}: correct --base-url; nothing was sent there.": (
        "L'API redirige vers {target} : corrigez --base-url ; rien n'y a été envoyé."
    ),
    "elsewhere": "une autre adresse",
    "The API refused access (HTTP {status}): check the API key and the base URL.": (
        "L'API a refusé l'accès (HTTP {status}) : vérifiez la clé API et l'URL de base."
    ),
    "The API refused access (HTTP {status}): check the API key.": "L'API a refusé l'accès (HTTP {status}) : vérifiez la clé API.",
    "The API refused: {reason} (code {code}).": "L'API a refusé : {reason} (code {code}).",
    "the API key is wrong": "la clé API est erronée",
    "the account is disabled": "le compte est désactivé",
    "the account is blocked": "le compte est bloqué",
    "the account may not use the API": "le compte n'a pas le droit d'utiliser l'API",
    "this machine's IP address is not authorised": "l'adresse IP de cette machine n'est pas autorisée",
    "HTTP {status}, not the API's own words": "HTTP {status}, mais pas dans le format de l'API",
    "success, but HTTP {status}": "succès annoncé, mais HTTP {status}",
    "code {code}": "code {code}",
    "none": "aucun",
    "no reason given": "sans motif",
    "The time budget (--max-duration) is used up: the next run goes on with the rest.": (
        "Le temps accordé (--max-duration) est écoulé : la prochaine exécution continuera avec le reste."
    ),
    "The API is down or does not answer as documented: run again later.": (
        "L'API est en panne ou ne répond pas comme sa documentation l'indique : relancez plus tard."
    ),
    "Nothing answered as the API does: run again later, or check that --base-url is right (it ends in /v1).": (
        "Rien n'a répondu comme l'API : relancez plus tard, ou vérifiez que --base-url est juste (elle se termine par /v1)."
    ),
    "The API asks to wait for {seconds:.0f} seconds more: run again later.": (
        "L'API demande d'attendre encore ({seconds:.0f} s) : relancez plus tard."
    ),
    # the report, the key, the end
    "The report {path} cannot be written ({reason}): check its folder and the disk, or choose another place.": (
        "Le rapport {path} ne peut pas être écrit ({reason}) : vérifiez son dossier et le disque, ou choisissez un autre endroit."
    ),
    "it is a folder or a device": "c'est un dossier ou un périphérique",
    "Another run is writing the report {path}: wait for it to end, or choose another place with --report.": (
        "Une autre exécution écrit le rapport {path} : attendez qu'elle se termine, ou choisissez un autre emplacement avec "
        "--report."
    ),
    "The installation key {path} cannot be read or made ({reason}): check the folder.": (
        "La clé d'installation {path} ne peut être ni lue ni créée ({reason}) : vérifiez le dossier."
    ),
    "The installation key {path} is damaged: restore it, or delete it and the ledgers beside it (every row is then sent once "
    "more).": (
        "La clé d'installation {path} est endommagée : restaurez-la, ou supprimez-la avec les registres voisins (toutes les "
        "lignes seront alors renvoyées une fois)."
    ),
    "Interrupted by {signal}.": "Interrompu par {signal}.",
    "Workbook: {path}": "Classeur : {path}",
    "Page: {path}": "Page : {path}",
    "Operators are told in English; --lang fr for French.": "Les messages sont en français ; --lang en pour l'anglais.",
    "{path} was changed since it was written, and is kept: the new workbook is {place}.": (
        "{path} a été modifié depuis son écriture et est conservé : le nouveau classeur est {place}."
    ),
    # the page
    "The file has no data row.": "Le fichier n'a aucune ligne de données.",
    "{clause};": "{clause} ;",
    "{clause}.": "{clause}.",
    "The one contact is in place": "Le seul contact est en place",
    "All {rows} contacts are in place": "Les {rows} contacts sont tous en place",
    "{count} of {rows} contacts is in place": "{count} contact sur {rows} est en place",
    "{count} of {rows} contacts are in place": "{count} contacts sur {rows} sont en place",
    "{count} of {rows} rows is ready to be sent": "{count} ligne sur {rows} est prête à être envoyée",
    "{count} of {rows} rows are ready to be sent": "{count} lignes sur {rows} sont prêtes à être envoyées",
    "{count} row needs you": "{count} ligne a besoin de vous",
    "{count} rows need you": "{count} lignes ont besoin de vous",
    "{count} row is left for the next run": "{count} ligne reste pour la prochaine exécution",
    "{count} rows are left for the next run": "{count} lignes restent pour la prochaine exécution",
    "{count} row was left out, as was asked": "{count} ligne a été laissée de côté, comme demandé",
    "{count} rows were left out, as was asked": "{count} lignes ont été laissées de côté, comme demandé",
    "The run was stopped": "L'exécution a été arrêtée",
    "Rows need you": "Des lignes ont besoin de vous",
    "To be continued by the next run": "À continuer par la prochaine exécution",
    "All is well": "Tout va bien",
    "Written by contact-sync, run {run}. It holds personal data: pass it on with care.": "Écrit par contact-sync, exécution "
    "{run}. Contient des données personnelles : à transmettre avec précaution.",
    "{year}-{month}-{day}, {time}": "{day}/{month}/{year} à {time}",
    "Stopped:": "Arrêt :",
    "Warning:": "Attention :",
    "How the file was read": "Comment le fichier a été lu",
    "File": "Fichier",
    "Run": "Exécution",
    "Requests": "Requêtes",
    "{count} of them retries": "dont {count} nouveaux essais",
    "Duration": "Durée",
    "Pace": "Rythme",
    "{pace} requests a second": "{pace} requêtes par seconde",
    "{hours} h {minutes} min": "{hours} h {minutes} min",
    "{minutes} min {seconds} s": "{minutes} min {seconds} s",
    "{seconds} s": "{seconds} s",
    "The API confirmed it as it was sent.": "L'API l'a confirmée telle qu'envoyée.",
    "It was in place already; nothing was sent.": "Déjà en place ; rien n'a été envoyé.",
    "It agrees with another row of the file, which carries the outcome.": "Identique à une autre ligne du fichier, qui porte "
    "le résultat.",
    "It would be sent.": "Serait envoyée.",
    "The API confirmed, but stored something else: look at it.": "L'API a confirmé, mais enregistré autre chose : à vérifier.",
    "It breaks a rule; nothing was sent: correct the cell.": "Enfreint une règle ; rien n'a été envoyé : corrigez la cellule.",
    "The API refused it, and would again: correct the contact.": "L'API l'a refusée et la refuserait encore : corrigez le "
    "contact.",
    "No attempt succeeded for certain: the next run sends it again.": "Aucun essai n'a réussi avec certitude : la "
    "prochaine exécution la renverra.",
    "Its turn did not come: what to do says why.": "Son tour n'est pas venu : la colonne « Que faire » dit pourquoi.",
    "How the rows ended": "Ce que les lignes sont devenues",
    "{count} more causes": "{count} autres causes",
    "Why": "Pourquoi",
    "choose one to see its rows": "choisissez une cause pour voir ses lignes",
    "{field}, column {letter}": "{field}, colonne {letter}",
    "row {row}": "ligne {row}",
    "first in row {row}": "la première à la ligne {row}",
    "row": "ligne",
    "rows": "lignes",
    "Up to {pace} requests a second, between {begin} and {end}": "Jusqu'à {pace} requêtes par seconde, entre {begin} et {end}",
    "Requests over time": "Requêtes au fil du temps",
    "Row": "Ligne",
    "Outcome": "Résultat",
    "Code": "Code",
    "What to do": "Que faire",
    "Column {number}": "Colonne {number}",
    "all": "tous",
    "those that need you ({count})": "celles qui ont besoin de vous ({count})",
    "{shown} rows are on this page, those that need attention first; {others} others are in the CSV report only.": ""
    "Cette page contient {shown} lignes, en priorité celles qui demandent attention ; {others} autres ne sont que dans le "
    "rapport CSV.",
    "Skip to the rows": "Aller aux lignes",
    "The rows": "Les lignes",
    "The table needs JavaScript, which is switched off here; every row is in the CSV report.": ""
    "Le tableau a besoin de JavaScript, désactivé ici ; toutes les lignes sont dans le rapport CSV.",
    "Search in all cells": "Chercher dans toutes les cellules",
    "Show all rows": "Montrer toutes les lignes",
    "Show the other rows too": "Montrer aussi les autres lignes",
    "No row matches.": "Aucune ligne ne correspond.",
    "Pages of the table": "Pages du tableau",
    "Previous": "Précédente",
    "Next": "Suivante",
    "Rows {first} to {last} of {rows}": "Lignes {first} à {last} sur {rows}",
    "Only rows of one cause: {cause}": "Seulement les lignes d'une cause : {cause}",
    # the workbook
    "To fix": "À corriger",
    "Field": "Champ",
    "What the cell holds": "Contenu de la cellule",
    "No row needs attention.": "Aucune ligne ne demande votre attention.",
    "Rows to correct: {found}. Correct the red cells, save, and run this workbook again.": (
        "Lignes à corriger : {found}. Corrigez les cellules rouges, enregistrez et relancez ce classeur."
    ),
    "This workbook has the first {found} rows that need attention: {more} more stand in the CSV report.": (
        "Ce classeur contient les {found} premières lignes à vérifier : {more} autres figurent dans le rapport CSV."
    ),
    "This workbook has the rows that need attention alone, {found} in all: the others stand in the CSV report.": (
        "Ce classeur ne contient que les lignes à vérifier, {found} en tout : les autres figurent dans le rapport CSV."
    ),
    "The columns that are not sent are too many for a workbook of contacts: they stand in the CSV report.": (
        "Les colonnes qui ne sont pas envoyées sont trop nombreuses pour un classeur : elles figurent dans le rapport CSV."
    ),
    "[cut here: a cell holds 32,767 characters, the rest stands in the source]": (
        "[coupé ici : une cellule contient 32 767 caractères, la suite est dans le fichier d'origine]"
    ),
    "{name} holds what would be lost in a copy ({parts}), so a new workbook was written instead.": (
        "{name} contient des éléments qu'une copie perdrait ({parts}) : un nouveau classeur a été écrit à la place."
    ),
    "{name} could not be copied with all that is in it, so a new workbook was written instead.": (
        "{name} n'a pas pu être copié avec tout son contenu : un nouveau classeur a été écrit à la place."
    ),
    "too many cells": "trop de cellules",
}
